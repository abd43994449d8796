"""Identity and roles: the local certificate authority, actors from certificates and the method table."""
