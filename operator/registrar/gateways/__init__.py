"""Runtime gateways: what a driver must do (`base`), how calls are paced (`limits`, `limited`), and the drivers themselves."""
