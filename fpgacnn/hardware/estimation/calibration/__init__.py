"""Own designs of the user: what the tools said of them corrects later estimates on the same machine."""
