"""The demonstration: everything on one machine, with a local Stripe and people to sign in as."""
