"""ModelArts, the cloud of Huawei."""
