"""What other tools make of our objects' statuses: kstatus, Argo CD and Flux, each as its own source has it."""
