"""Whether anything that is there already is closer than a threshold."""
