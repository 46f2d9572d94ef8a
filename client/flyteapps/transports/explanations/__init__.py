"""The explanations of errors, by the words that libraries, planes and clusters put into them."""
