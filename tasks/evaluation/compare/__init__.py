"""Models beside one another, by several protocols, on scores and after each rule."""
