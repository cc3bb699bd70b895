"""`seg_cord`: cord mask of a scan."""

from spineseg_cli.cli.unavailable import unavailable_command

main = unavailable_command("seg_cord", "Segment the spinal cord.")
