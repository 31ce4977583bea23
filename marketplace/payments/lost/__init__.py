"""What Stripe sent for us and our books have lost, as after a database was restored from a backup."""
