"""The command line program around the live filter: arguments, several files, notes, signals, --doctor, --stats."""
