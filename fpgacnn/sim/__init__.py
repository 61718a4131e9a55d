"""Numbers flowing. Engines take input codes and give the codes of every node."""
