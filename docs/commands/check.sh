tapo check
