"""Known deviations: where a plane is known not to keep the contract, by dialect and version, each with its evidence."""
