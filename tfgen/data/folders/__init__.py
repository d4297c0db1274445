"""What a folder of images holds, and where its splits, classes and pairs lie."""
