"""SLIM: item-item links by ridge regression of each item on the items most like it."""
