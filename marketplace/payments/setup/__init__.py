"""How experts come to be paid: what their account lacks, where and when it can be paid, and what holds it."""
