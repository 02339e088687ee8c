"""A task of toys: what every task brings, on nothing but the generic rooms."""
