"""The compiled inner loops: plain arrays in, plain arrays out."""
