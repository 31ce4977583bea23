"""US tax on experts' pay: their forms, what is withheld, and what is reported of a year."""
