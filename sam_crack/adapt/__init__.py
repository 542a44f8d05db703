"""Adapters for any `nn.Module`; knows neither SAM nor what is segmented."""
