"""One phone call on the wire. Knows no database, no web page and no duty office."""
