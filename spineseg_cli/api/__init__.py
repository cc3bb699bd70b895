"""The commands as functions, for scripts and notebooks; `spineseg_cli` itself offers them."""
