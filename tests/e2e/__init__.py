"""The packaged operator in a whole cluster: image, charts, plugin, faults, upgrade and uninstall."""
