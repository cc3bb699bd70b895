"""`get_centerline`: centerline of a scan."""

from spineseg_cli.cli.unavailable import unavailable_command

main = unavailable_command("get_centerline", "Find the spinal cord's centerline.")
