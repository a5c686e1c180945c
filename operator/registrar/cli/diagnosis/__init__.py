"""What blocks a Client or Contract: `facts` (what is known), `walk` (what is wrong), `mends` (the command that mends it)."""
