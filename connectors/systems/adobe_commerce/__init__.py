"""Adobe Commerce and Magento Open Source."""
