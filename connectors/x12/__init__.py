"""What each X12 transaction set says, one module for each part of the trade."""
