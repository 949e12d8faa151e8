"""What stands around a handler in its component. A handler's own file has nothing to import from here."""
