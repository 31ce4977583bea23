"""What clients owe us because a payment failed after its money was spent."""
