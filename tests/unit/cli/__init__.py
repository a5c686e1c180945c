"""The plugin, where no cluster is needed."""
