"""Goods of the sample shop: for each category six styles and a dozen things.

A title is a style and a thing, "Walnut Chess Set". Styles are what tastes differ by: a shopper of
board games keeps to walnut ones, say.
"""

WORDS: dict[str, tuple[str, str]] = {
    "Board Games": (
        "Walnut, Travel, Magnetic, Giant, Vintage, Marble",
        "Chess Set, Backgammon Board, Draughts Set, Domino Box, Mancala Board, Ludo Set, "
        "Cribbage Board, Solitaire, Go Board, Tumbling Tower, Ring Toss, Dice Tower",
    ),
    "Cookware": (
        "Cast-Iron, Copper, Enamelled, Non-Stick, Stoneware, Carbon-Steel",
        "Skillet, Saucepan, Casserole, Wok, Griddle, Stockpot, Roasting Tin, Frying Pan, "
        "Milk Pan, Tagine, Paella Pan, Grill Pan",
    ),
    "Bakeware": (
        "Silicone, Fluted, Springform, Glass, Rustic, Heart-Shaped",
        "Cake Tin, Loaf Tin, Muffin Tray, Pie Dish, Tart Ring, Madeleine Tray, Bundt Mould, "
        "Flan Dish, Baking Sheet, Brownie Pan, Ramekin Set, Pudding Basin",
    ),
    "Tea": (
        "Smoked, Jasmine, Spiced, Organic, Breakfast, Minted",
        "Black Tea, Green Tea, Oolong, White Tea, Rooibos, Tea Caddy, Tea Sampler, Iced Tea, "
        "Loose-Leaf Tin, Pyramid Bags, Tea Cakes, Chai Blend",
    ),
    "Coffee": (
        "Dark-Roast, Single-Origin, Decaf, Ethiopian, Hazelnut, House",
        "Espresso Beans, Filter Coffee, Coffee Pods, Cold Brew, Ground Coffee, Coffee Tin, "
        "Drip Bags, Coffee Sampler, Moka Blend, Cafetiere Blend, Latte Mix, Green Beans",
    ),
    "Mugs & Cups": (
        "Hand-Thrown, Speckled, Enamel, Floral, Double-Walled, Monogrammed",
        "Mug, Espresso Cup, Teacup, Cappuccino Cup, Travel Cup, Soup Mug, Latte Glass, Tumbler, "
        "Egg Cup, Sake Cup, Camping Mug, Cup and Saucer",
    ),
    "Candles": (
        "Beeswax, Lavender, Sandalwood, Unscented, Citrus, Winter",
        "Pillar Candle, Taper Pair, Tea Lights, Jar Candle, Votive Set, Wax Melts, Tin Candle, "
        "Floating Candle, Dinner Candles, Candle Sampler, Lantern Candle, Three-Wick Candle",
    ),
    "Lighting": (
        "Brass, Paper, Industrial, Rattan, Smoked-Glass, Coastal",
        "Table Lamp, Floor Lamp, Pendant, Wall Light, Desk Lamp, Lantern, Reading Light, "
        "Lamp Shade, String Lights, Night Light, Ceiling Light, Clip Lamp",
    ),
    "Bedding": (
        "Linen, Percale, Brushed-Cotton, Striped, Quilted, Bamboo",
        "Duvet Cover, Fitted Sheet, Pillowcase Pair, Bedspread, Throw, Mattress Topper, "
        "Flat Sheet, Bolster, Eiderdown, Cot Sheet, Valance, Blanket",
    ),
    "Towels & Bath": (
        "Waffle, Turkish, Organic-Cotton, Fringed, Charcoal, Seaside",
        "Bath Towel, Hand Towel, Bath Mat, Robe, Face Cloth Set, Bath Sheet, Hair Wrap, "
        "Beach Towel, Shower Curtain, Soap Dish, Bath Caddy, Toothbrush Mug",
    ),
    "Soap & Skincare": (
        "Oatmeal, Sea-Salt, Rose, Charcoal-Clay, Goat-Milk, Fragrance-Free",
        "Soap Bar, Hand Cream, Body Scrub, Face Balm, Shampoo Bar, Bath Bomb, Lip Balm, "
        "Hand Wash, Body Oil, Face Mask, Shaving Soap, Bath Salts",
    ),
    "Stationery": (
        "Recycled, Marbled, Leather, Botanical, Grid, Letterpress",
        "Notebook, Journal, Pencil Case, Address Book, Writing Set, Weekly Planner, Folder, "
        "Sketchbook, Desk Pad, Bookmark Set, Index Box, Letter Rack",
    ),
    "Pens & Ink": (
        "Brass-Barrelled, Calligraphy, Refillable, Archival, Pocket, Lacquered",
        "Fountain Pen, Ballpoint, Ink Bottle, Pencil Set, Brush Pen, Rollerball, Nib Set, "
        "Mechanical Pencil, Pen Rest, Blotter, Fineliner Set, Ink Cartridges",
    ),
    "Cards & Wrap": (
        "Lino-Print, Foiled, Kraft, Watercolour, Humorous, Pressed-Flower",
        "Birthday Card, Thank-You Cards, Gift Wrap, Gift Tags, Postcard Set, Wedding Card, "
        "Ribbon Reel, Gift Bag, New-Baby Card, Tissue Paper, Advent Card, Blank Cards",
    ),
    "Gardening": (
        "Ash-Handled, Stainless, Galvanised, Terracotta, Folding, Heritage",
        "Trowel, Hand Fork, Watering Can, Plant Pot, Secateurs, Dibber, Trug, Potting Tray, "
        "Seed Tin, Garden Twine, Bird Feeder, Kneeler",
    ),
    "Seeds & Bulbs": (
        "Heirloom, Wildflower, Shade-Loving, Dwarf, Scented, Drought-Hardy",
        "Sweet Pea Seeds, Tomato Seeds, Tulip Bulbs, Herb Kit, Poppy Seeds, Allium Bulbs, "
        "Salad Seeds, Sunflower Seeds, Dahlia Tubers, Lavender Plugs, Bean Seeds, Lily Bulbs",
    ),
    "Toys": (
        "Wooden, Plush, Wind-Up, Rainbow, Knitted, Tin",
        "Train Set, Bear, Building Blocks, Stacking Rings, Pull-Along Duck, Robot, Doll, "
        "Racing Car, Shape Sorter, Rocket, Farm Set, Spinning Top",
    ),
    "Puzzles": (
        "Panoramic, Hand-Cut, Map, Impossible, Nature, Gallery",
        "Jigsaw 500, Jigsaw 1000, Puzzle Box, Cube, Tangram, Floor Puzzle, Knot Puzzle, "
        "Disentanglement Set, Logic Cards, Labyrinth, Jigsaw 2000, Crossword Book",
    ),
    "Art Supplies": (
        "Student, Artist, Travel-Size, Water-Soluble, Metallic, Pastel-Toned",
        "Watercolour Set, Acrylic Set, Brush Roll, Canvas Pad, Pastel Box, Charcoal Sticks, "
        "Palette, Easel, Oil Set, Gouache Set, Colour Pencils, Lino Kit",
    ),
    "Yarn & Sewing": (
        "Merino, Alpaca, Liberty-Print, Chunky, Indigo, Beginner",
        "Yarn Skein, Knitting Needles, Sewing Box, Crochet Kit, Embroidery Hoop, Quilting Kit, "
        "Fabric Bundle, Pin Cushion, Scarf Kit, Darning Set, Dress Pattern, Thread Set",
    ),
    "Kitchen Knives": (
        "Damascus, Olive-Handled, Ceramic, Forged, Japanese, Everyday",
        "Chef's Knife, Paring Knife, Bread Knife, Santoku, Carving Set, Cleaver, Steak Knives, "
        "Knife Block, Whetstone, Filleting Knife, Oyster Knife, Kitchen Shears",
    ),
    "Bags": (
        "Waxed-Canvas, Leather-Trimmed, Roll-Top, Recycled-Nylon, Tweed, Woven",
        "Backpack, Tote, Satchel, Messenger Bag, Wash Bag, Weekender, Belt Bag, Laptop Sleeve, "
        "Shopper, Duffel, Saddle Bag, Pouch",
    ),
    "Scarves & Gloves": (
        "Cashmere, Silk, Fair-Isle, Tartan, Lambswool, Dotted",
        "Scarf, Gloves, Mittens, Beanie, Snood, Shawl, Wrist Warmers, Beret, Bandana, "
        "Driving Gloves, Ear Warmer, Headscarf",
    ),
    "Outdoors": (
        "Ultralight, Titanium, Insulated, Camp, Waterproof, Packable",
        "Flask, Head Torch, Hammock, Stove, Picnic Rug, Dry Bag, Cook Set, Lunch Box, "
        "Sit Mat, Pocket Knife, Stool, Fire Steel",
    ),
}
N_STYLES = 6
