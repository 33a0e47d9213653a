"""iALS with frequency-scaled regularization: training, fold-in, reasons."""
