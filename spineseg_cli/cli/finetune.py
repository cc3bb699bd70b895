"""`finetune`: weights from labelled scans."""

from spineseg_cli.cli.unavailable import unavailable_command

main = unavailable_command("finetune", "Fine-tune weights on your own labelled scans.")
