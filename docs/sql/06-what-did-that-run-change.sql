-- What did one run change? Here: run 2.
SELECT change, count(DISTINCT id) AS images, string_agg(DISTINCT field, ', ' ORDER BY field) AS fields
FROM inventory.run_diff(2)
GROUP BY change
ORDER BY change;
