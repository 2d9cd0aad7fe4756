"""Rules of a run and its holds: pure functions, time passed in."""
