"""Ray: packs of a study on the nodes of a cluster. docs/scale.md explains how."""
