"""What the window has beside the picture: keys' errands, messages, snapshots, re-painting, a rate that is held."""
