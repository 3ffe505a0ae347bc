"""Do weights end at the residual that `iw.Target` asks for? Two networks on digits, two optimisers, three targets."""
