"""The harness: plan -> stack -> verify -> load -> samples -> statistics -> report."""
