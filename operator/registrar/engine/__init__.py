"""The running parts: store, queue, reconciler, keeper of gateways, sweep, and the app that joins them."""
