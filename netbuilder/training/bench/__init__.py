"""How fast networks train on this machine, compared with other ways of training them."""
