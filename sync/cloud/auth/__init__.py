"""How requests authenticate to the cloud: tokens, logins and signatures."""
