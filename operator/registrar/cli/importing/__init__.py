"""The import of registrations that are on a gateway already: from what the gateway has to manifests that adopt it."""
