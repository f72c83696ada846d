"""What a user does with flyball, across rooms."""
