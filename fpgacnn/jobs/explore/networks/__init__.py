"""Float networks with more or fewer filters, trained again."""
