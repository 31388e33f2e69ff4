"""How worn a film is, measured: the same instrument on real film and on film made old, so that its own errors
are alike on both sides."""
