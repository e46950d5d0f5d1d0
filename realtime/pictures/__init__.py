"""Picture files: stills, folders of them as films, animations, colour profiles."""
