"""The report's network, to the letter: WFC3 ISR 2021-08."""
