"""Training and fine-tuning of networks.

plan, adapt           what a fine-tuning will do, settled and checked before anything slow starts
finetune, report      fine-tuning on a user's labeled scans, and the report of its result
train                 training by a configuration alone
trainer, run, state   the training loop; the folder, progress and best epoch of a run, so that a killed run can be resumed
evaluation            the complete command of a task as the judge of weights
config, config_*      the typed configuration and its YAML files; `choices` lists what it may name
data                  labeled scans and label maps as batches of crops
losses, schedules, metrics, network_surgery, distributed, device, lr_range_test, presence
"""
