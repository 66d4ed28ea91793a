"""Models from elsewhere: one file for each framework, all building the same graph."""
