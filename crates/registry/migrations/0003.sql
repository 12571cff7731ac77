-- How long a threshold must be crossed is said by the condition; the others never used it.
UPDATE item SET json = json_remove(iif(json_type(json, '$.condition.threshold') IS NULL, json,
    json_set(json, '$.condition.threshold.hold_s', coalesce(json_extract(json, '$.hold_s'), 0))), '$.hold_s')
WHERE kind = 'rule';
