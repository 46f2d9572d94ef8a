"""The methods of ControlService about the plane's state as a whole."""
